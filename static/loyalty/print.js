// The browser's own print dialogue; the style sheet leaves only the card on the paper.
document.getElementById("print-card").addEventListener("click", function () { window.print(); });
