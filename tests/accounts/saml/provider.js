// A SAML 2.0 provider for tests, on Auth0's samlp: node saml.js '<configuration>'.
// Its form takes any name; /answer also takes what a test wants to be otherwise.
import { createServer } from "node:http";
import samlp from "samlp";

const { port, people, entityId, keys, sp } = JSON.parse(process.argv[2]);
const here = `http://127.0.0.1:${port}`;
const PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
const participants = [];

const mapper = (user) => ({
  getClaims: () => user.attributes,
  getNameIdentifier: () => ({ nameIdentifier: user.name, nameIdentifierFormat: user.format ?? PERSISTENT }),
});

function signIn(query, name, otherwise = {}) {
  return new Promise((resolve, reject) => {
    // A console with a key signs its requests: then the signature has to be right.
    const checks = query.Signature ? { signingCert: sp.cert, deflate: true } : {};
    samlp.parseRequest({ query, method: "GET" }, checks, (error, asked) => {
      if (error) return reject(error);
      const user = {
        name,
        attributes: {
          email: `${name}@company.example`,
          displayName: name[0].toUpperCase() + name.slice(1),
          uid: name,
          groups: people[name] ?? [],
          ...otherwise.attributes,
        },
        ...otherwise.user,
      };
      const session = `s-${name}-${participants.length}`;
      participants.push({
        serviceProviderId: sp.entityId,
        nameId: name,
        nameIdFormat: PERSISTENT,
        sessionIndex: session,
        serviceProviderLogoutURL: sp.logout,
        cert: sp.cert,
      });
      const options = {
        issuer: entityId,
        ...keys.own,
        ...(otherwise.key ? keys[otherwise.key] : {}),
        profileMapper: mapper,
        signatureAlgorithm: "rsa-sha256",
        digestAlgorithm: "sha256",
        signResponse: false,
        lifetimeInSeconds: 300,
        audience: sp.entityId,
        recipient: sp.acs,
        destination: sp.acs,
        inResponseTo: asked?.id,
        sessionIndex: session,
        ...otherwise.options,
      };
      if (otherwise.encrypt) {
        Object.assign(options, { encryptionCert: sp.cert, encryptionPublicKey: sp.publicKey });
        options.encryptionAlgorithm = otherwise.encrypt;
        options.disallowEncryptionWithInsecureAlgorithm = false;
        options.warnOnInsecureEncryptionAlgorithm = false;
      }
      const now = Date.now;
      Date.now = () => now() + (otherwise.shift ?? 0) * 1000;
      samlp.getSamlResponse(options, user, (failed, response) => {
        Date.now = now;
        if (failed) reject(failed);
        else resolve(Buffer.from(response).toString("base64"));
      });
    });
  });
}

// What samlp wants of Express, as far as logout goes.
const states = new Map();
const logout = samlp.logout({
  issuer: entityId,
  ...keys.own,
  deflate: true,
  protocolBinding: "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
  signatureAlgorithm: "rsa-sha256",
  digestAlgorithm: "sha256",
  sessionParticipants: {
    hasElements: () => participants.length > 0,
    getFirst: (done) => done(null, participants[0]),
    get: (issuer, sessions, name, done) =>
      done(null, participants.find((each) => each.nameId === name && sessions.includes(each.sessionIndex))),
    remove: (issuer, session, name, done) => {
      const at = participants.findIndex((each) => each.nameId === name && each.sessionIndex === session);
      if (at >= 0) participants.splice(at, 1);
      done();
    },
  },
  store: {
    save: (request, state, done) => {
      const handle = `h${states.size}`;
      states.set(handle, state);
      done(null, handle);
    },
    load: (request, handle, options, done = options) => done(null, states.get(handle)),
    update: (request, handle, state, done) => {
      states.set(handle, state);
      done();
    },
  },
});

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const hidden = (fields) =>
  Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value ?? "")}">`)
    .join("");

createServer(async (request, response) => {
  const url = new URL(request.url, here);
  const query = Object.fromEntries(url.searchParams);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
  const page = (html) => response.setHeader("Content-Type", "text/html").end(html);
  const fail = (error) => {
    response.statusCode = 500;
    response.end(String(error?.stack ?? error));
  };
  try {
    if (url.pathname === "/sso") {
      page(`<form method="post" action="/login">${hidden(query)}
        <input name="login"><button type="submit">Sign in</button></form>`);
    } else if (url.pathname === "/login") {
      const { login, ...asked } = body;
      const message = await signIn(asked, login);
      page(`<form method="post" action="${escaped(sp.acs)}">${hidden({
        SAMLResponse: message,
        RelayState: asked.RelayState,
      })}<button type="submit">Continue</button></form>`);
    } else if (url.pathname === "/answer") {
      const { query: asked, login, otherwise } = JSON.parse(body.json);
      response.end(await signIn(asked, login, otherwise));
    } else if (url.pathname === "/logout") {
      const answer = {
        redirect: (target) => response.writeHead(302, { Location: target }).end(),
        send: (said) => response.end(String(said)),
        set: () => {},
      };
      logout({ query, body: {}, method: "GET", url: request.url, originalUrl: request.url }, answer, fail);
    } else if (url.pathname === "/forget") {
      participants.length = 0;
      response.end();
    } else if (url.pathname === "/metadata") {
      samlp.metadata({
        issuer: entityId,
        cert: keys.own.cert,
        redirectEndpointPath: "/sso",
        postEndpointPath: "/sso",
        logoutEndpointPaths: { redirect: "/logout" },
      })(
        { headers: { host: `127.0.0.1:${port}` }, protocol: "http", originalUrl: "/metadata" },
        { set: () => {}, send: (xml) => response.end(xml) },
      );
    } else {
      response.statusCode = 404;
      response.end();
    }
  } catch (error) {
    fail(error);
  }
}).listen(port, "127.0.0.1");
