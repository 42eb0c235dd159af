/* Commands to the kernel, and whether it is still there. The control channel is served while a cell is busy; the comm is
 * the way round where it is closed. */

import type { Command, KernelConnection, Model } from "./protocol";

const ACK_MS = 1500; // then the control channel counts as closed
export const HONOUR_MS = 3000; // then a button says that it waits for the kernel

export type Route = "control" | "comm" | "none";

/** Send a command; return the route that took it. */
export async function send(model: Model, command: Command, runId: string, more: object = {}): Promise<Route> {
  const random = globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  const content = { ...more, command, run_id: runId, command_id: random };
  if (await sentByControl(model, content)) return "control";
  try {
    model.send(content); // the id makes a second hearing harmless
    return "comm";
  } catch {
    return "none";
  }
}

async function kernelOf(model: Model): Promise<KernelConnection | undefined> {
  const manager = (await model.widget_manager) as { kernel?: KernelConnection } | undefined;
  return manager?.kernel;
}

/** Return true once the kernel has acknowledged over the control channel. */
async function sentByControl(model: Model, content: { command_id: string }): Promise<boolean> {
  try {
    const kernel = await kernelOf(model);
    if (typeof kernel?.sendControlMessage !== "function") return false;
    const header = {
      msg_id: content.command_id,
      msg_type: "nbagent_request",
      session: kernel.clientId ?? "",
      username: kernel.username ?? "",
      date: new Date().toISOString(),
      version: "5.3",
    };
    const message = { channel: "control", header, parent_header: {}, metadata: {}, content, buffers: [] };
    const future = kernel.sendControlMessage(message, true, true);
    future.done?.catch?.(() => {}); // a kernel that restarts is no error of the page
    const acknowledged = new Promise<boolean>((resolve) => {
      future.onReply = (reply) => resolve(reply.content?.status === "ok" && reply.content.heard === true);
    });
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, ACK_MS, false));
    return await Promise.race([acknowledged, late]);
  } catch {
    return false;
  }
}

/** Call `leave` once the kernel that the model lived in is gone. */
export async function watchKernel(model: Model, leave: () => void): Promise<void> {
  model.on("comm_live_update", leave);
  try {
    const kernel = await kernelOf(model);
    const over = new Set(["restarting", "autorestarting", "terminating", "dead"]);
    kernel?.statusChanged?.connect((_, status) => {
      if (over.has(status)) leave();
    });
    kernel?.disposed?.connect(leave);
  } catch {
    // a front end without these says it at the next click
  }
}
