// Pages that are opened from a folder may start no worker: there a hidden frame does a worker's work, so that the
// search works without a server. Messages go by events, since both windows belong to one page.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inner = this.frame.contentWindow;
      inner.document.open();
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inner.importScripts = (...urls) =>
        urls.reduce(
          (before, source) =>
            before.then(
              () =>
                new Promise((done, failed) => {
                  const script = inner.document.createElement("script");
                  Object.assign(script, { src: new URL(source, url).href, onload: done, onerror: failed });
                  inner.document.body.appendChild(script);
                }),
            ),
          Promise.resolve(),
        );
      inner.document.write("<!doctype html><body></body>");
      const script = inner.document.createElement("script");
      script.onload = () => this.ready.forEach((send) => send());
      this.ready = [];
      this.loaded = false;
      script.addEventListener("load", () => (this.loaded = true));
      script.src = url;
      inner.document.body.appendChild(script);
      inner.document.close();
    }

    postMessage(data) {
      const send = () => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
      if (this.loaded) send();
      else this.ready.push(send);
    }

    terminate() {
      this.frame.remove();
    }
  };
}
