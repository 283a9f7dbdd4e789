import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/node_modules/"] },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 350],
      "max-lines-per-function": ["error", 50],
    },
  },
  {
    // Which of these a module may use, TypeScript checks.
    files: ["web/**/*.js", "tests/**/*.js"],
    languageOptions: { globals: { ...globals.browser, ...globals.worker } },
  },
  {
    files: ["web/tools/*.mjs"],
    languageOptions: { globals: globals.node },
  },
];
