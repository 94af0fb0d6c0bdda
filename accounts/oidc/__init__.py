"""People's sign-in by OpenID Connect: the provider, its tokens, and whom they let in."""
