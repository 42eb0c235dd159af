import { describe, expect, it } from "vitest";
import { brief, count, counted, dollars, duration, moment, short, speed, took } from "../src/format";

describe("format", () => {
  it.each([
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min 00 s"],
    [187_000, "3 min 07 s"],
    [3_600_000, "1 h 00 min"],
    [90_061_000, "25 h 01 min"],
    [-5, "0 s"],
  ])("says a span of %d ms in its two largest units", (ms, text) => expect(duration(ms)).toBe(text));

  it.each([
    [0, "0.0 s"],
    [1_234, "1.2 s"],
    [9_999, "10.0 s"],
    [61_000, "1 min 01 s"],
  ])("gives a finished span of %d ms a tenth below ten seconds", (ms, text) => expect(took(ms)).toBe(text));

  it.each([
    [0, "$0"],
    [0.00001234, "$0.000012"],
    [0.0123, "$0.012"],
    [0.1, "$0.10"],
    [1234.5, "$1,234.50"],
  ])("writes %d dollars with two figures or two places", (value, text) => expect(dollars(value)).toBe(text));

  it.each([
    [4_200, "4.2 s"],
    [59_900, "59 s"],
    [187_000, "3m 07s"],
    [7_500_000, "2h 05m"],
  ])("fits a span of %d ms into a narrow column", (ms, text) => expect(brief(ms)).toBe(text));

  it("counts with separators, shortens, and puts the noun in its number", () => {
    expect(count(1_234_567)).toBe("1,234,567");
    expect(short(1_234_567)).toBe("1.2M");
    expect([counted(1, "run"), counted(0, "run"), counted(2_000, "run")]).toEqual(["1 run", "0 runs", "2,000 runs"]);
  });

  it("says a rate by the second, or by the minute where it is slow", () => {
    expect(speed(12.3)).toBe("12.3/s");
    expect(speed(0.5)).toBe("30/min");
  });

  it("names a moment by its time today, by its day before, by its year before that", () => {
    const now = new Date(2026, 10, 30, 15, 0, 0).getTime();
    expect(moment(new Date(2026, 10, 30, 9, 5, 7).getTime(), now)).toBe("09:05:07");
    expect(moment(new Date(2026, 2, 4).getTime(), now)).toBe("4 Mar");
    expect(moment(new Date(2025, 2, 4).getTime(), now)).toBe("4 Mar 2025");
  });
});
