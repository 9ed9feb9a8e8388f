import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.worker } },
    rules: {
      "prefer-const": "error",
      "no-var": "error",
      eqeqeq: "error",
      "max-lines": ["error", 300],
      "no-restricted-syntax": [
        "error",
        {
          selector: "ImportDeclaration > :not(ImportSpecifier, Literal)",
          message: "bundle.py joins named imports only",
        },
      ],
    },
  },
  {
    files: ["**/*.mjs", "**/eslint.config.js"],
    languageOptions: { globals: globals.node },
    rules: { "no-restricted-syntax": "off" },
  },
];
