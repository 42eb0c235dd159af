// @vitest-environment happy-dom
import { render } from "lit-html";
import { describe, expect, it, vi } from "vitest";
import { sending } from "../src/card/sending";
import type { CardRow } from "../src/protocol";

const row = (given: Partial<CardRow>): CardRow => ({ title: "facts", sent: [], takes_messages: true, ...given }) as CardRow;
const drawn = (...given: Parameters<typeof sending>): HTMLElement => {
  const root = document.createElement("div");
  render(sending(...given), root);
  return root;
};

describe("the line that tells a run something", () => {
  it("sends what was typed, once, and is empty again; blanks are nothing", () => {
    const send = vi.fn();
    const root = drawn(row({}), "ready", send);
    const input = root.querySelector("input")!;
    for (const typed of ["  only 2024, please ", "   ", ""]) {
      input.value = typed;
      root.querySelector("form")!.dispatchEvent(new Event("submit", { cancelable: true }));
    }
    expect(send.mock.calls).toEqual([["only 2024, please"]]);
    expect(input.value.trim()).toBe("");
  });

  it("shows what the model has not had yet, as text", () => {
    const root = drawn(row({ sent: ["<b>2024</b>"] }), "ready", () => {});
    expect(root.querySelector(".nbagent-sent")!.textContent).toBe("with its next step: <b>2024</b>");
  });

  it("is not there for runs that take nothing, and keeps still while it sends", () => {
    expect(drawn(row({ takes_messages: false }), "ready", () => {}).querySelector("form")).toBeNull();
    const send = vi.fn();
    const root = drawn(row({}), "heard", send);
    root.querySelector("input")!.value = "x";
    root.querySelector("form")!.dispatchEvent(new Event("submit", { cancelable: true }));
    expect(send).not.toHaveBeenCalled();
  });
});
