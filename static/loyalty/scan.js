// Scanning a card with the phone's camera, where the browser can read codes; elsewhere the button stays hidden.
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("scan");
    var picture = document.getElementById("scan-picture");
    if (!button || !window.BarcodeDetector || !navigator.mediaDevices) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).then(look, function () {
        document.getElementById("scan-refused").hidden = false;
      });
    });

    function look(stream) {
      var detector = new window.BarcodeDetector({ formats: ["qr_code"] });
      picture.hidden = false;
      picture.srcObject = stream;
      picture.play();
      var timer = window.setInterval(function () {
        detector.detect(picture).then(function (codes) {
          if (!codes.length) return;
          window.clearInterval(timer);
          stream.getTracks().forEach(function (track) { track.stop(); });
          document.getElementById("who").value = codes[0].rawValue;
          document.getElementById("find-member").submit();
        }, function () { /* no picture yet: the next look comes soon */ });
      }, 200);
    }
  });
})();
