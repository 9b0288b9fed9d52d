// Compiles, so a test that expects an error must fail.
