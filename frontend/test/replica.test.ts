import { describe, expect, it } from "vitest";
import { Replica } from "../src/replica";

function watched(): { replica: Replica; asked: () => number; pass: (ms: number) => void } {
  let [asked, now] = [0, 0];
  const replica = new Replica(
    () => (asked += 1),
    () => now,
  );
  return { replica, asked: () => asked, pass: (ms) => (now += ms) };
}

describe("Replica", () => {
  it("takes messages in their order, each once", () => {
    const { replica, asked } = watched();
    replica.restart(4);
    expect([5, 6, 6, 5, 7].map((seq) => replica.accept(seq))).toEqual([true, true, false, false, true]);
    expect(asked()).toBe(0);
  });

  it("asks for the whole where one is missing, once a second, and applies nothing until it has come", () => {
    const { replica, asked, pass } = watched();
    replica.restart(1);
    expect([3, 4, 5].map((seq) => replica.accept(seq))).toEqual([false, false, false]);
    expect(asked()).toBe(1);
    pass(1000);
    replica.accept(6);
    expect(asked()).toBe(2);
    replica.restart(6);
    expect(replica.accept(7)).toBe(true);
  });

  it.each([undefined, null, "8", {}, NaN])("leaves a message alone whose number is %s", (seq) => {
    const { replica, asked } = watched();
    replica.restart(7);
    expect(replica.accept(seq)).toBe(false);
    expect(replica.seq).toBe(7);
    expect(asked()).toBeLessThanOrEqual(1);
  });

  it("starts over from a whole of a lower number: the kernel is another one", () => {
    const { replica } = watched();
    replica.restart(500);
    replica.restart(0);
    expect(replica.accept(1)).toBe(true);
  });
});
