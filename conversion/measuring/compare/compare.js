"use strict";
(() => {
  const [left, right, stage, fit, full] = ["left", "right", "stage", "fit", "full"].map((id) => document.getElementById(id));
  const box = stage.querySelector(".compare");
  const range = box.querySelector("input");
  const [width, height] = ["width", "height"].map((side) => Number(box.querySelector("img").getAttribute(side)));

  // The places, and their squares in the photo, are those of the two versions that are chosen.
  const choose = () => {
    const pair = [left.value, right.value].map(Number).sort((a, b) => a - b).join("-");
    for (const places of document.querySelectorAll(".pair")) places.hidden = places.dataset.pair !== pair;
    for (const square of stage.querySelectorAll("rect")) square.classList.toggle("chosen", square.dataset.pair === pair);
  };

  // At 100 % a pixel of the result is a pixel of the screen, and the photo is scrolled.
  const zoom = (whole) => {
    stage.classList.toggle("full", !whole);
    fit.setAttribute("aria-pressed", String(whole));
    full.setAttribute("aria-pressed", String(!whole));
    box.style.width = whole ? "" : `${width / devicePixelRatio}px`;
  };
  const show = (x, y) => {
    zoom(false);
    stage.scrollLeft = (x / width) * box.offsetWidth - stage.clientWidth / 2;
    stage.scrollTop = (y / height) * box.offsetHeight - stage.clientHeight / 2;
    range.value = (100 * x) / width;
    range.dispatchEvent(new Event("input"));
    stage.scrollIntoView({ block: "nearest" });
  };

  for (const select of [left, right]) select.addEventListener("change", choose);
  fit.addEventListener("click", () => zoom(true));
  full.addEventListener("click", () => show(width / 2, height / 2));
  for (const button of document.querySelectorAll(".show")) button.addEventListener("click", () => show(Number(button.dataset.x), Number(button.dataset.y)));
  choose();
})();
