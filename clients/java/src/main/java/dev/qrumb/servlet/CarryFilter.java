package dev.qrumb.servlet;

import dev.qrumb.Carry;
import dev.qrumb.Consent;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.Serial;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Stream;

/** Makes the scan that a request carries its {@link #currentSession}. */
public final class CarryFilter extends HttpFilter {
  @Serial private static final long serialVersionUID = 1;
  private static final String ATTRIBUTE = "dev.qrumb.session";

  private final transient Carry carry;
  private final transient Function<HttpServletRequest, Consent> consent;

  /**
   * Carries scans.
   *
   * @param carry how
   * @param consent the visitor's for a request; null is as good as pending
   */
  public CarryFilter(Carry carry, Function<HttpServletRequest, Consent> consent) {
    this.carry = Objects.requireNonNull(carry);
    this.consent = Objects.requireNonNull(consent);
  }

  /**
   * The scan session that a request carries, for {@link
   * dev.qrumb.ServerEventBuilder#scanSessionId}.
   *
   * @param request that is being answered
   * @return the session; empty: none
   */
  public static String currentSession(ServletRequest request) {
    return Objects.requireNonNullElse((String) request.getAttribute(ATTRIBUTE), "");
  }

  @Override
  protected void doFilter(
      HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    Carry.Carried carried =
        carry.read(request.getQueryString(), cookie(request), consent.apply(request));
    if (!carried.setCookie().isEmpty()) {
      response.addHeader("Set-Cookie", carried.setCookie());
    }
    request.setAttribute(ATTRIBUTE, carried.session());
    chain.doFilter(request, response);
  }

  private String cookie(HttpServletRequest request) {
    Cookie[] sent = request.getCookies();
    return (sent == null ? Stream.<Cookie>empty() : Arrays.stream(sent))
        .filter(one -> one.getName().equals(carry.cookie()))
        .map(Cookie::getValue)
        .findFirst()
        .orElse("");
  }
}
