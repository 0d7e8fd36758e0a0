// Makes Swagger UI work with this server: the CSRF token of this moment, a fresh key for each call, and who is signed in.
"use strict";

(() => {
  const own = document.currentScript.dataset;
  const KEY = "Idempotency-Key";
  const who = document.getElementById("docs-who");

  // Signing in and out changes the token: it is read at each call.
  const csrfToken = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]*)/) || [])[1] || "";

  // randomUUID is there on https and localhost only; the demo is also opened by an address of the local network.
  const freshKey = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return "docs-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const isOurs = (address) => new URL(address, document.baseURI).origin === location.origin;

  // A key that this page made is replaced at each "Execute", so that trying again is a new request; one written by hand is kept.
  const keys = new Set();
  const fillKey = (system, pathMethod) => {
    const ours = (each) => each.get("in") === "header" && each.get("name") === KEY;
    const operation = system.specSelectors.specJsonWithResolvedSubtrees().getIn(["paths", ...pathMethod]);
    const parameter = operation && operation.has("parameters") && operation.get("parameters").find(ours);
    if (!parameter) return;
    const value = system.specSelectors.parameterWithMetaByIdentity(pathMethod, parameter).get("value");
    if (value ? !keys.has(value) : !parameter.get("required")) return;
    const key = freshKey();
    keys.add(key);
    system.specActions.changeParamByIdentity(pathMethod, parameter, key, false);
  };
  // In a browser the cookie is the session: an app's session would leave this page signed out.
  const preferBrowser = (spec) => {
    const schema = spec.components?.parameters?.Client?.schema;
    if (schema?.enum?.includes("browser")) schema.default = "browser";
    return spec;
  };
  const plugin = () => ({
    statePlugins: {
      spec: {
        wrapActions: {
          updateJsonSpec: (original) => (spec) => original(preferBrowser(spec)),
          validateParams: (original, system) => (pathMethod) => {
            fillKey(system, pathMethod);
            return original(pathMethod);
          },
        },
      },
    },
  });

  const element = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text }, properties);

  const here = encodeURIComponent(location.pathname);
  const showWho = async () => {
    let answer, body;
    try {
      answer = await fetch("/api/v1/me", { headers: { Accept: "application/json" } });
      body = await answer.json();
    } catch {
      who.replaceChildren("The server does not answer.");
      return;
    }
    const leave = element("button", "Sign out", { type: "button", onclick: signOut });
    if (answer.ok) who.replaceChildren("Signed in as ", element("strong", body.email), leave);
    else if (answer.status === 401)
      who.replaceChildren(
        "Not signed in.",
        element("a", "Sign in", { href: `/sign-in?next=${here}` }),
        element("a", "Sign up", { href: `/sign-up?next=${here}` }),
      );
    else who.replaceChildren(body.message || `The server answered ${answer.status}.`, leave);
  };
  const signOut = async () => {
    await fetch("/_allauth/browser/v1/auth/session", { method: "DELETE", headers: { [own.csrfHeader]: csrfToken() } });
    await showWho();
  };

  SwaggerUIBundle({
    ...JSON.parse(JSON.parse(document.getElementById("docs-settings").textContent)),
    url: own.document,
    dom_id: "#swagger-ui",
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [plugin],
    layout: "BaseLayout",
    requestInterceptor: (request) => {
      if (isOurs(request.url) && !["GET", "HEAD", undefined].includes(request.method)) request.headers[own.csrfHeader] = csrfToken();
      return request;
    },
    responseInterceptor: (response) => {
      if (new URL(response.url).pathname.startsWith("/_allauth/browser/")) showWho();
      return response;
    },
  });
  showWho();
})();
