// A certified OpenID provider with a few people, for tests: node provider.js '<configuration>'.
// Its forms take any password; the name that is typed is the subject.
import Provider from "oidc-provider";

const { port, client, people } = JSON.parse(process.argv[2]);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  pkce: { required: () => true },
  scopes: ["openid", "profile", "email", "groups"],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: id[0].toUpperCase() + id.slice(1),
      preferred_username: id,
      email: `${id}@company.example`,
      email_verified: true,
      groups: people[id] ?? [],
    }),
  }),
  features: { backchannelLogout: { enabled: true } },
  // It refuses to call this very machine, where the console of a test is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  cookies: { keys: ["only for tests"] },
});

provider.listen(port, "127.0.0.1");
