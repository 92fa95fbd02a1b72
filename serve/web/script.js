"use strict";
(() => {
  const form = document.getElementById("form"), text = document.getElementById("text");
  const button = document.getElementById("send"), result = document.getElementById("result");
  let running = null;
  document.getElementById("hint").hidden = false;
  const show = (message) => {
    const box = document.createElement("div"), line = document.createElement("p");
    box.className = "result fault";
    line.textContent = message;
    box.append(line);
    result.replaceChildren(box);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) running.abort();
    const mine = running = new AbortController();
    button.disabled = true;
    result.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.action, {
        method: "POST", signal: mine.signal, headers: { Accept: "text/html" }, body: new URLSearchParams({ text: text.value }),
      });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const part = page.getElementById("result");
      if (!part) throw new Error("status " + answer.status);
      result.replaceChildren(...part.childNodes);
      const model = page.getElementById("model");
      if (model) document.getElementById("model").replaceChildren(...model.childNodes);
    } catch (error) {
      if (error.name !== "AbortError") show("The server does not answer. Try again in a moment.");
    } finally {
      if (running === mine) {
        running = null;
        button.disabled = false;
        result.removeAttribute("aria-busy");
      }
    }
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
})();
