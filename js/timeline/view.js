// How closely the picture is looked at, and which part of it: from all of it to sixteen times as large.

const MOST = 16;

export class View {
  #zoom = 1;
  #offset = [0, 0]; // of the picture's middle from the stage's, in pixels of the stage

  get zoom() {
    return this.#zoom;
  }

  get isClose() {
    return this.#zoom > 1;
  }

  /** Where the picture's middle is seen, from the stage's. */
  get middle() {
    return this.#offset;
  }

  /** The transform of what lies in a stage, for CSS. */
  get transform() {
    const [x, y] = this.#offset;
    return this.isClose ? `translate(${x}px, ${y}px) scale(${this.#zoom})` : "";
  }

  /** `by` times as close; what lies at a place of the stage, counted from its middle, stays there. */
  closer(by, [x, y], size) {
    const zoom = Math.min(MOST, Math.max(1, this.#zoom * by));
    const share = zoom / this.#zoom;
    this.#zoom = zoom;
    this.#put([x - (x - this.#offset[0]) * share, y - (y - this.#offset[1]) * share], size);
  }

  /** Moves the picture within a stage of a size; no further than its edge. */
  move([x, y], size) {
    this.#put([this.#offset[0] + x, this.#offset[1] + y], size);
  }

  whole() {
    this.#zoom = 1;
    this.#offset = [0, 0];
  }

  #put(offset, size) {
    this.#offset = offset.map((value, axis) => {
      const most = ((this.#zoom - 1) * size[axis]) / 2;
      return Math.min(most, Math.max(-most, value));
    });
  }
}
