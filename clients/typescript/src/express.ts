// Carries scans through Express: `import { carryScans } from "@qrumb/client/express"`. Of Express it needs the types alone.

import type { Request, RequestHandler } from "express";

import { type Carry, carrying } from "./carry.js";

/**
 * Makes the scan that a request carries its `currentSession()`. `consent` says the visitor's for a request: granted,
 * denied or pending.
 */
export function carryScans(carry: Carry, consent: (request: Request) => string): RequestHandler {
  return (request, response, next) => {
    const [, query = ""] = /\?(.*)/s.exec(request.originalUrl) ?? [];
    const carried = carry.read(query, cookieOf(request, carry.cookie), consent(request));
    const text = carry.setCookie(carried);
    if (text) response.append("Set-Cookie", text);
    carrying(carried, next);
  };
}

function cookieOf(request: Request, name: string): string {
  const pairs = (request.headers.cookie ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}
