import { describe, expect, it } from "vitest";
import { telling, wording } from "../src/notify";

describe("telling", () => {
  it.each([
    [undefined, "completed", null],
    ["running", "running", null],
    ["running", "completed", "ended"],
    ["paused", "cancelled", "ended"],
    ["running", "paused", "waits"],
    ["pending", "running", null],
    ["completed", "running", null],
    ["error", "completed", null],
  ] as const)("from %s to %s is told as %s: only what was seen to go on can end", (before, now, moment) =>
    expect(telling(before, now)).toBe(moment),
  );
});

describe("wording", () => {
  it("names one run, and counts many", () => {
    expect(wording([{ title: "facts", status: "completed" }])[0]).toBe("facts: completed");
    expect(wording([{ title: "order", status: "paused" }])[0]).toBe("order waits for you");
    const many = Array.from({ length: 5 }, (_, at) => ({ title: `q${at}`, status: at ? "completed" : "paused" }) as const);
    expect(wording(many)).toEqual([
      "1 run waits for you, 4 runs ended",
      "q0: waits for you\nq1: completed\nq2: completed\nand 2 more",
    ]);
  });
});
