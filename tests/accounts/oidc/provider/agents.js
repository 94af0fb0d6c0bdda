// The same provider as agents use it: client credentials, and token exchange by RFC 8693 through
// its extension point: node agents.js '<configuration>'. Access tokens are JWTs for one resource.
import { createLocalJWKSet, jwtVerify } from "jose";
import Provider, { errors } from "oidc-provider";

const { port, clients, jwks, resource, seconds } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT = "urn:ietf:params:oauth:token-type:access_token";
const published = createLocalJWKSet({
  keys: jwks.keys.map(({ kty, kid, n, e }) => ({ kty, kid, n, e, alg: "RS256" })),
});
const actors = new WeakMap();

const provider = new Provider(issuer, {
  clients,
  jwks,
  scopes: ["openid"],
  claims: { openid: ["sub"] },
  pkce: { required: () => true },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, asked) => ({
        scope: "hoopweb:statements:run hoopweb:statements:read",
        audience: asked,
        accessTokenTTL: seconds,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  extraTokenClaims: (_context, token) => actors.get(token),
  cookies: { keys: ["only for tests"] },
});

async function exchange(context) {
  const { client, params } = context.oidc;
  if (params.subject_token_type !== JWT) {
    throw new errors.InvalidRequest("subject_token_type is not an access token");
  }
  let subject;
  try {
    subject = (await jwtVerify(params.subject_token, published, { issuer })).payload;
  } catch {
    throw new errors.InvalidGrant("subject_token does not hold");
  }
  const server = new provider.ResourceServer(resource, {
    audience: resource,
    scope: "",
    accessTokenTTL: seconds,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "RS256" } },
  });
  const token = new provider.AccessToken({
    accountId: subject.sub,
    client,
    gty: "token_exchange",
  });
  token.resourceServer = server;
  // Whoever acted before stands within who acts now.
  actors.set(token, { act: { sub: client.clientId, ...(subject.act && { act: subject.act }) } });
  context.body = {
    access_token: await token.save(),
    issued_token_type: JWT,
    token_type: "Bearer",
    expires_in: token.expiration,
  };
}

provider.registerGrantType(EXCHANGE, exchange, ["subject_token", "subject_token_type"]);
provider.listen(port, "127.0.0.1");
