/* A structured answer: as a table, with a row an element, or as a tree in its own shape; two buttons choose. */

import { html, nothing, type TemplateResult } from "lit-html";
import { keyed } from "lit-html/directives/keyed.js";
import type { AnswerTable, CardRow, TreeNode } from "../protocol";

export type Form = "table" | "tree";
const FORMS: [Form, string][] = [
  ["table", "Table"],
  ["tree", "Tree"],
];
const UNFOLDED_DEPTH = 3;
const UNFOLDED_KIDS = 20;

export function structured(row: CardRow, chosen: Form | null, choose: (form: Form) => void): TemplateResult {
  const now = chosen ?? row.form;
  return html`<div class="nbagent-structured" ?hidden=${!row.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!row.table || !row.tree}>
      ${FORMS.map(
        ([name, word]) =>
          html`<button type="button" class="nbagent-group" aria-pressed=${name === now} @click=${() => choose(name)}>${word}</button>`,
      )}
    </div>
    <div class="nbagent-form" role="group" aria-label="structured answer">
      ${now === "tree" && row.tree ? treeList(row.tree.kids ?? [], 1) : row.table ? tableOf(row.table) : nothing}
    </div>
    <p class="nbagent-more" ?hidden=${now === "tree" || !row.more}>${row.more}</p>
  </div>`;
}

function tableOf({ columns, numeric, cells }: AnswerTable): TemplateResult {
  const kind = (at: number): string => (numeric[at] ? "nbagent-number" : "");
  return html`<table>
    <thead>
      <tr>${columns.map((name, at) => html`<th scope="col" class=${kind(at)}>${name}</th>`)}</tr>
    </thead>
    <tbody>
      ${cells.map((values) => html`<tr>${values.map((value, at) => html`<td class=${kind(at)}>${value}</td>`)}</tr>`)}
    </tbody>
  </table>`;
}

/** Branches fold by themselves (`details`), so a tree is walked and unfolded by keyboard as it is. */
function treeList(nodes: TreeNode[], depth: number): TemplateResult {
  return html`<ul class="nbagent-tree">
    ${nodes.map(({ name, kind, text, note, kids }) => {
      if (!kids) {
        const key = name ? html`<span class="nbagent-key">${name}</span>` : nothing;
        return html`<li class="nbagent-leaf-line">${key}<span class="nbagent-leaf" data-kind=${kind}>${text}</span></li>`;
      }
      const open = depth < UNFOLDED_DEPTH && kids.length <= UNFOLDED_KIDS;
      return keyed(
        `${name} ${kids.length}`,
        html`<li>
          <details ?open=${open}>
            <summary><span class="nbagent-key">${name}</span><span class="nbagent-note">${note}</span></summary>
            ${treeList(kids, depth + 1)}
          </details>
        </li>`,
      );
    })}
  </ul>`;
}
