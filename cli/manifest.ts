import { type Command, Option } from 'commander';
import { withApi } from './connect.ts';
import { orOneLine } from './failure.ts';
import { whole } from './flag-values.ts';
import { type CheckFlags, checkManifest } from './manifest-check.ts';
import { type ImportFlags, importManifest } from './manifest-import.ts';

const FILE = `
FILE is CSV or JSON Lines; - reads the standard input.
  CSV         The first line names the columns: serialNumber and any of model, batch, publicKeySha256, claimToken, streamMode,
              channels (separated by spaces or |), reprovisioning and attr:<name> for each free attribute. Comma, semicolon or tab;
              UTF-8 with or without byte order mark; one row a line. An empty cell is a field that is left out.
  JSON Lines  One object a line, as POST /devices takes it.
`;

export function register(program: Command): void {
  const manifest = program.command('manifest').description('The cameras that a factory announces.');

  file(manifest.command('check'))
    .description('Say what is wrong with a manifest, without asking the API.')
    .option('--problems <n>', 'how many bad rows to show', whole, 20)
    .addHelpText(
      'after',
      `${FILE}
Exit code: 0 every row is good, 1 some are bad, 2 the file cannot be read to its end.
Duplicates are found within the whole file: 64 bits of each serial number's hash and its line are kept, 24 MB for the first 1.5 million.

Examples:
  firstlight manifest check week-47.csv
  firstlight manifest check --json week-47.csv | jq .problems
  zcat week-47.jsonl.gz | firstlight manifest check -`,
    )
    .action((path: string, flags: CheckFlags) => orOneLine(() => checkManifest(path, flags)));

  withApi(file(manifest.command('import')), 'factory')
    .description('Announce every row of a manifest. Stopped at any moment and started again, it goes on.')
    .option('--dry-run', 'say what would happen; write nothing')
    .option('--parallel <n>', 'pages of 100 rows on their way at once', whole, 4)
    .option('--verdicts <file>', 'where the verdicts go (default: FILE.verdicts.jsonl)')
    .option('--restart', 'begin anew in spite of an unfinished verdict file')
    .option('--patience <seconds>', 'how long the API may go without one answer', whole, 300)
    .addHelpText(
      'after',
      `${FILE}
Each row gets a verdict, in the order of the rows, in FILE.verdicts.jsonl (FILE.dry-run.verdicts.jsonl): one JSON object a line,
{row, line, serialNumber, outcome: created|updated|unchanged|rejected, problem?: {code, detail}, digest}. The first line says for which API,
the last one, when it is finished, how many of each. An unfinished file is gone on with; a finished one is replaced.
Exit code: 0 every row is in, 1 some were rejected, 2 it could not be done (started again, it goes on), 130 stopped with Ctrl-C.

Examples:
  firstlight manifest import week-47.csv
  firstlight manifest import --stage prod --dry-run week-47.csv
  firstlight manifest import --json week-47.csv | jq .rejected
  jq 'select(.outcome == "rejected")' week-47.csv.verdicts.jsonl`,
    )
    .action((path: string, flags: ImportFlags) => orOneLine(() => importManifest(path, flags)));
}

const file = (command: Command) =>
  command
    .argument('<FILE>', 'a manifest, or - for the standard input')
    .addOption(
      new Option('--format <format>', 'what FILE is (default: what its name or first character says)').choices([
        'csv',
        'jsonl',
      ]),
    )
    .option('--json', 'print JSON');
