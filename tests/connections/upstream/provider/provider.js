// A certified OpenID provider that gives JWTs to clients: node provider.js '<configuration>'.
import Provider from "oidc-provider";

const { port, client, audience, jwks } = JSON.parse(process.argv[2]);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  jwks,
  scopes: ["session:role:GATEWAY"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: () => ({
        audience,
        scope: "session:role:GATEWAY",
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});

provider.listen(port, "127.0.0.1");
