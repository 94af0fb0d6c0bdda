"""People's sign-in by SAML 2.0: the provider, its assertions, and whom they let in."""
