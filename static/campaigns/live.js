// A live part of a page: what has not changed is left alone, so that nothing jumps and no focus is lost.
(function () {
  "use strict";
  document.addEventListener("htmx:beforeSwap", function (event) {
    var part = event.detail.target;
    if (!part || !part.hasAttribute("data-live")) return;
    var answer = event.detail.xhr.responseText;
    if (event.detail.xhr.status === 304 || part.lastAnswer === answer) event.detail.shouldSwap = false;
    part.lastAnswer = answer;
  });
})();
