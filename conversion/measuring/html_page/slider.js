"use strict";
(() => {
  const boxes = document.querySelectorAll(".compare");
  const [left, right] = ["left", "right"].map((id) => document.getElementById(id));

  // A slider is moved by pointer anywhere on the picture; its range input is what the keyboard and screen readers use.
  for (const box of boxes) {
    const range = box.querySelector("input");
    const move = () => {
      box.style.setProperty("--at", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${Math.round(range.value)} percent`);
    };
    const drag = (event) => {
      const edge = box.getBoundingClientRect();
      range.value = (100 * (event.clientX - edge.left)) / edge.width;
      move();
    };
    range.addEventListener("input", move);
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      box.setPointerCapture(event.pointerId);
      range.focus({ preventScroll: true });
      event.preventDefault();
      drag(event);
    });
    box.addEventListener("pointermove", (event) => {
      if (box.hasPointerCapture(event.pointerId)) drag(event);
    });
    move();
  }

  const show = () => {
    for (const box of boxes) {
      for (const image of box.querySelectorAll("img")) {
        image.classList.toggle("left", image.dataset.version === left.value);
        image.classList.toggle("right", image.dataset.version === right.value);
      }
      box.querySelector(".at-left").textContent = left.selectedOptions[0].textContent;
      box.querySelector(".at-right").textContent = right.selectedOptions[0].textContent;
    }
  };
  // Choosing what the other side shows gives that side what this one showed: a picture is never compared with itself.
  const before = { left: left.value, right: right.value };
  const choose = (side, other) => {
    if (side.value === other.value) other.value = before[side.id];
    before[side.id] = side.value;
    before[other.id] = other.value;
    show();
  };
  left.addEventListener("change", () => choose(left, right));
  right.addEventListener("change", () => choose(right, left));
  document.getElementById("swap").addEventListener("click", () => {
    [left.value, right.value] = [right.value, left.value];
    before.left = left.value;
    before.right = right.value;
    show();
  });
  show();
})();
