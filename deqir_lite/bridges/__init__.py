"""Our operators and priors inside other libraries; what they have comes in by ``as_operator`` and
``load_prior``. The modules here import the library that they lead to."""
