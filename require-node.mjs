// Runs before any TypeScript is looked at: an older Node would answer with ERR_UNKNOWN_FILE_EXTENSION.
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  console.error(
    `firstlight needs Node 24; this is ${process.versions.node}. \`npm ci\` brings it: start through npm or npx, or repair with \`npm rebuild node\`.`,
  );
  process.exit(1);
}
