// Regulars: the little script of the shell. No dependencies; Chart.js is used where a page shows a chart.
(function () {
  "use strict";

  // "/" puts the cursor into the search box, unless one is typing already.
  document.addEventListener("keydown", function (event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (document.getElementById("searchbar")) return; // a list of the admin has its own box, which Unfold focuses
    var search = document.getElementById("global-search");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  });

  // htmx asks like a form of ours, and shows nothing that a server error says about itself.
  document.addEventListener("htmx:configRequest", function (event) {
    var token = document.querySelector("input[name=csrfmiddlewaretoken]");
    var organization = document.querySelector("input[name=in_organization]");
    if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token.value;
    if (organization && event.detail.verb !== "get") event.detail.headers["X-Organization"] = organization.value;
  });

  // A lost connection says so, and what comes back says that it is back.
  function connection(lost) {
    document.querySelectorAll(".live-lost").forEach(function (note) { note.hidden = !lost; });
  }
  document.addEventListener("htmx:sendError", function () { connection(true); });
  document.addEventListener("htmx:afterOnLoad", function () { connection(false); });

  // Definitions open on a click too, for those who cannot hover.
  document.addEventListener("click", function (event) {
    var hint = event.target.closest("[data-hint]");
    document.querySelectorAll("[data-hint][aria-expanded=true]").forEach(function (open) { if (open !== hint) open.setAttribute("aria-expanded", "false"); });
    if (hint) hint.setAttribute("aria-expanded", hint.getAttribute("aria-expanded") === "true" ? "false" : "true");
    var adder = event.target.closest("[data-add-row]");
    if (adder) addRow(adder);
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") document.querySelectorAll("[data-hint][aria-expanded=true]").forEach(function (open) { open.setAttribute("aria-expanded", "false"); });
  });

  // One more row of a formset: the template of the empty form stands in a <template>.
  function addRow(button) {
    var prefix = button.getAttribute("data-add-row");
    var total = document.getElementById("id_" + prefix + "-TOTAL_FORMS");
    var empty = document.getElementById(prefix + "-empty");
    var holder = document.createElement("div");
    holder.innerHTML = empty.innerHTML.replace(/__prefix__/g, total.value);
    var row = holder.firstElementChild;
    document.getElementById(prefix + "-rows").appendChild(row);
    total.value = Number(total.value) + 1;
    var first = row.querySelector("input, select");
    if (first) first.focus();
  }

  // Icons that point somewhere point the other way where one reads from right to left.
  var POINTING = /^(chevron_(left|right)|arrow_(back|forward|left|right|back_ios|forward_ios|left_alt|right_alt)|first_page|last_page|dock_to_(left|right)|keyboard_arrow_(left|right)|navigate_(next|before)|logout|login)$/;
  function mirror(root) {
    if (document.documentElement.dir !== "rtl") return;
    root.querySelectorAll(".material-symbols-outlined").forEach(function (icon) {
      if (POINTING.test(icon.textContent.trim())) icon.classList.add("mirrored");
    });
  }
  document.addEventListener("DOMContentLoaded", function () { mirror(document); });
  document.addEventListener("htmx:afterSettle", function (event) { mirror(event.target); });

  // The admin's searching selects take the name of their label, which select2 forgets.
  function nameSelects() {
    document.querySelectorAll("select.select2-hidden-accessible").forEach(function (select) {
      var label = document.querySelector("label[for='" + select.id + "']");
      var drawn = select.parentElement.querySelector(".select2-selection");
      if (!drawn) return;
      var name = (label || select.closest(".field-line, .form-row, div")).textContent.replace("*", "").trim().slice(0, 80);
      [drawn, drawn.querySelector(".select2-selection__rendered")].forEach(function (part) { if (part) part.setAttribute("aria-label", name); });
      drawn.removeAttribute("aria-labelledby");
    });
  }
  window.addEventListener("load", function () { window.setTimeout(nameSelects, 0); });

  // Charts: colours that colour-blind readers tell apart, bars from zero, one axis.
  var COLOURS = ["#7c3aed", "#0e7490", "#b45309", "#be185d", "#4d7c0f", "#1d4ed8"];
  var LIGHTER = ["#a78bfa", "#22d3ee", "#fbbf24", "#f472b6", "#a3e635", "#60a5fa"];
  function isDark() { return document.documentElement.classList.contains("dark"); }
  function digits(value) { return Number(value).toLocaleString(document.documentElement.lang === "fa" ? "fa-IR" : "en-US"); }

  function draw(canvas) {
    var holder = document.getElementById(canvas.getAttribute("data-chart"));
    if (!window.Chart || !holder) return;
    var data = JSON.parse(holder.textContent);
    var dark = isDark();
    var rtl = document.documentElement.dir === "rtl";
    var ink = dark ? "#d1d5db" : "#4b5563";
    var line = dark ? "#374151" : "#e5e7eb";
    var palette = dark ? LIGHTER : COLOURS;
    if (canvas.chart) canvas.chart.destroy();
    canvas.chart = new window.Chart(canvas, {
      type: canvas.getAttribute("data-kind") || "bar",
      data: {
        labels: data.labels,
        datasets: data.series.map(function (series, index) {
          var colour = palette[index % palette.length];
          return { label: series.name, data: series.values, backgroundColor: colour, borderColor: colour, borderWidth: 2, pointRadius: 2, tension: 0.25, maxBarThickness: 40 };
        })
      },
      options: {
        responsive: true, maintainAspectRatio: false, animation: false, locale: document.documentElement.lang === "fa" ? "fa-IR" : "en-US",
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { display: data.series.length > 1, rtl: rtl, labels: { color: ink } }, tooltip: { rtl: rtl, callbacks: { label: function (item) { return item.dataset.label + ": " + digits(item.parsed.y); } } } },
        scales: {
          x: { reverse: rtl, grid: { display: false }, ticks: { color: ink, maxRotation: 0, autoSkip: true, autoSkipPadding: 16 } },
          y: { beginAtZero: true, position: rtl ? "right" : "left", grid: { color: line }, ticks: { color: ink, precision: 0, callback: digits } }
        }
      }
    });
  }
  function drawAll(root) { root.querySelectorAll("canvas[data-chart]").forEach(draw); }
  document.addEventListener("DOMContentLoaded", function () {
    drawAll(document);
    new MutationObserver(function () { drawAll(document); }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  });
  document.addEventListener("htmx:afterSettle", function (event) { drawAll(event.target); });
})();
