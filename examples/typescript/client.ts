// A client whose types are made from the service's own description. See README.md.

import createClient from "openapi-fetch";
import type { components, paths } from "./belongings";

type Item = components["schemas"]["Item"];
type Problem = components["schemas"]["Problem"];
type KnownProblemType = components["schemas"]["KnownProblemType"];

const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8000" });

/** Advice for people. When a version adds a problem type, the compiler asks for another case. */
function advice(problem: Problem): string {
  const known = problem.type as KnownProblemType;
  switch (known) {
    case "urn:problem-type:belongings:email-taken":
      return "Sign in instead.";
    case "urn:problem-type:belongings:user-not-found":
    case "urn:problem-type:belongings:item-not-found":
      return "It is gone.";
    case "urn:problem-type:belongings:changed-meanwhile":
      return "Somebody else has changed it; look again.";
    case "urn:problem-type:belongings:invalid-request":
    case "urn:problem-type:belongings:idempotency-key-reused":
      return "Please correct what you sent.";
    case "urn:problem-type:belongings:idempotency-key-in-use":
    case "urn:problem-type:belongings:database-unavailable":
    case "urn:problem-type:belongings:schema-mismatch":
      return "Try again in a moment.";
    case "urn:problem-type:belongings:outcome-unknown":
      return "It may have been done or not; look before you try again.";
    case "urn:problem-type:belongings:storage-full":
      return "There is no room for it; tell somebody who can make some.";
    case "about:blank":
      return problem.detail;
    default:
      known satisfies never; // a newer service may send types that this compiler does not know
      return problem.detail;
  }
}

export async function keep(title: string, price: number | null): Promise<Item> {
  const { data, error } = await client.POST("/items/", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { title, price },
  });
  if (error) throw new Error(advice(error));
  return data;
}

export async function cheapest(words: string): Promise<Item[]> {
  const { data, error } = await client.GET("/items/", { params: { query: { q: words, sort: "price", limit: 10 } } });
  if (error) throw new Error(advice(error));
  return data;
}

export async function reprice(id: number, price: number): Promise<Item> {
  const seen = await client.GET("/items/{item_id}", { params: { path: { item_id: id } } });
  if (seen.error) throw new Error(advice(seen.error));
  const { data, error } = await client.PATCH("/items/{item_id}", {
    params: { path: { item_id: id }, header: { "If-Match": seen.response.headers.get("ETag") ?? "*" } },
    body: { price },
  });
  if (error) throw new Error(advice(error));
  return data;
}
