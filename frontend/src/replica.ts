/* A copy of the kernel's state that is kept by numbered messages: the card's and the table's. */

const ASK_AGAIN_MS = 1000; // between two requests for the whole

/** Counts messages: takes each in its turn, and asks for the whole where one is missing. */
export class Replica {
  #seq = -1;
  #askedAt = -Infinity;

  /** `askWhole` sends the request; `now` is a clock in milliseconds. */
  constructor(
    private readonly askWhole: () => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The number of the last message. */
  get seq(): number {
    return this.#seq;
  }

  /** The whole has come, with this number. */
  restart(seq: number): void {
    this.#seq = seq;
  }

  /** Return whether a change is the next one and is to be applied; an old one is not, one after a gap asks for the whole. */
  accept(seq: unknown): boolean {
    if (typeof seq !== "number" || seq <= this.#seq) return false;
    if (seq !== this.#seq + 1) {
      this.resync();
      return false;
    }
    this.#seq = seq;
    return true;
  }

  /** Ask for the whole, once a second at most. */
  resync(): void {
    if (this.now() - this.#askedAt < ASK_AGAIN_MS) return;
    this.#askedAt = this.now();
    this.askWhole();
  }
}
