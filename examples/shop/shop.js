// The shop's own script: a basket, a checkout, a consent question. What concerns qrumb is marked.

const basket = [];
const prices = { bowl: 34, cup: 18.5, vase: 49.9 };
const checkout = document.querySelector("#checkout");
const banner = document.querySelector("#consent");

document.querySelectorAll("[data-item]").forEach((button) =>
  button.addEventListener("click", () => {
    // qrumb: the click itself is seen by the tag, by the button's data-qrumb-event.
    basket.push(button.dataset.item);
    const total = basket.reduce((sum, item) => sum + prices[item], 0);
    document.querySelector("#basket").textContent = `${basket.join(", ")}: € ${total.toFixed(2)}`;
    checkout.querySelector("button").disabled = false;
  }),
);

checkout.addEventListener("submit", async (event) => {
  event.preventDefault();
  const email = checkout.elements.email.value;
  // qrumb: the backend reports the purchase, with the scan session that its middleware kept.
  const body = JSON.stringify({ items: basket, email });
  const answer = await (await fetch("/checkout", { method: "POST", body })).json();
  document.querySelector("#thanks").textContent = `Thank you. Your order is ${answer.number}, € ${answer.amount}.`;
});

document.querySelector("#letter").addEventListener("submit", (event) => event.preventDefault());

// qrumb: the answer is the site's to ask for and to remember. Now that it is there the backend may keep the scan, which
// it is told once more, as the tag has taken it out of the address.
async function decide(state) {
  qrumb("consent", state);
  banner.hidden = true;
  document.cookie = `consent=${state}; path=/; max-age=15552000; samesite=lax`;
  const session = qrumb("session");
  if (session) await fetch(`/?qrs=${encodeURIComponent(session)}`, { method: "HEAD" });
}

banner.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => decide(button.dataset.consent)));
const [, known] = /(?:^|; )consent=(granted|denied)/.exec(document.cookie) || [];
if (known) qrumb("consent", known);
else banner.hidden = false;
