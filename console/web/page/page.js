// The websocket lies beside this page, wherever that is: behind a forwarded port the server can't know its own address.
document.getElementById("terminal").dataset.sessionWebsocketUrl =
  location.origin.replace(/^http/, "ws") + location.pathname + "ws";

// Keys are the console's as soon as it is there, without a click.
window.addEventListener("load", () => document.querySelector(".xterm-helper-textarea").focus());
