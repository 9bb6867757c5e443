// A session that ended takes nothing away that was typed: one logs in over the page and goes on. Whoever logs in as
// somebody else gets the page anew, without it.
(function () {
  "use strict";
  var asking = false;
  var passing = null; // the form that may go now

  function place() { return document.getElementById("log-in-again"); }

  function ask() {
    return fetch(place().dataset.session, { cache: "no-store" }).then(function (answer) { return answer.json(); });
  }

  function loggedInAgain() {
    return new Promise(function (resolve) {
      var frame = place().querySelector("iframe");
      frame.onload = function () {
        ask().then(function (session) {
          if (session.user === null) return;
          frame.onload = null;
          place().close();
          resolve(session);
        });
      };
      frame.src = place().dataset.login;
      place().showModal();
    });
  }

  // Whoever logs in gets a new token, which the forms of this page take over if it is the same person.
  function take(session) {
    if (String(session.user) !== place().dataset.user) {
      window.location.replace(window.location.pathname + window.location.search);
      return new Promise(function () {});
    }
    document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach(function (input) { input.value = session.token; });
  }

  function makeSure() {
    asking = true;
    return ask()
      .then(function (session) { return session.user === null ? loggedInAgain() : session; })
      .then(take)
      .catch(function () {}) // what cannot be asked is told by the form's own answer
      .then(function () { asking = false; });
  }

  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form === passing || !place() || form.getAttribute("method") !== "post" || form.closest(".user-menu")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (asking) return;
    makeSure().then(function () {
      passing = form;
      HTMLFormElement.prototype.requestSubmit.call(form, event.submitter);
      passing = null;
    });
  }, true);

  document.addEventListener("loggedOut", function () { if (place() && !asking) makeSure(); });
  document.addEventListener("htmx:responseError", function (event) {
    if (place() && !asking && event.detail.xhr.status === 403) makeSure(); // a token of before another tab logged in
  });
  document.addEventListener("cancel", function (event) { if (event.target === place()) event.preventDefault(); }, true);
  document.addEventListener("close", function (event) { if (event.target === place() && asking) place().showModal(); }, true);
})();
