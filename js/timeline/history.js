// The texts that a track has had, to go back to and forth again.

const MOST = 200;

export class History {
  #texts;
  #at = 0;

  constructor(text) {
    this.#texts = [text];
  }

  get text() {
    return this.#texts[this.#at];
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#texts.length - 1;
  }

  /** Remembers a text; what was undone before it is forgotten. */
  push(text) {
    if (text === this.text) return;
    this.#texts = [...this.#texts.slice(0, this.#at + 1), text].slice(-MOST);
    this.#at = this.#texts.length - 1;
  }

  /** The text one step back (-1) or forth (1). */
  step(by) {
    this.#at = Math.min(this.#texts.length - 1, Math.max(0, this.#at + by));
    return this.text;
  }
}
