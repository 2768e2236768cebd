/**
 * AWS IoT SQL, the part that a rule over JSON messages needs (IoT guide, "AWS IoT SQL reference"). What is not here is refused when the
 * rule is made, never guessed when a message comes.
 */

export type Value = string | number | boolean | null | undefined | Value[] | { [key: string]: Value };

export type Expression =
  | { kind: 'literal'; value: string | number | boolean | null }
  | { kind: 'path'; keys: (string | number)[] }
  | { kind: 'all' }
  | { kind: 'call'; name: FunctionName; arguments: Expression[] }
  | { kind: 'not'; of: Expression }
  | { kind: 'negate'; of: Expression }
  | { kind: 'binary'; operator: Operator; left: Expression; right: Expression };

export type Operator = 'or' | 'and' | '=' | '<>' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%';

export interface Rule {
  select: { expression: Expression; as?: string }[];
  /** A topic filter; absent for a rule reached by Basic Ingest alone. */
  from?: string;
  where?: Expression;
}

/** Names as AWS documents them, without regard to case, and how many arguments each takes. */
const FUNCTIONS = {
  topic: [0, 1],
  clientid: [0, 0],
  timestamp: [0, 0],
  startswith: [2, 2],
  endswith: [2, 2],
  regexp_matches: [2, 2],
  lower: [1, 1],
  upper: [1, 1],
  concat: [1, 32],
  isundefined: [1, 1],
  isnull: [1, 1],
} as const;
export type FunctionName = keyof typeof FUNCTIONS;

interface Token {
  kind: 'word' | 'string' | 'quoted' | 'number' | 'symbol' | 'end';
  text: string;
}

/** "Case insensitive", all of them. */
const RESERVED = ['select', 'from', 'where', 'as', 'and', 'or', 'not', 'in', 'case', 'value', 'exists'];
const COMPARISONS = ['=', '<>', '!=', '<', '<=', '>', '>='];

/** Throws Error, in words for SqlParseException, when the text is no rule that could run here. */
export function parseSql(text: string): Rule {
  const tokens = tokenise(text);
  let position = 0;
  const peek = () => tokens[position] as Token;
  const next = () => tokens[position++] as Token;
  const isWord = (word: string) => peek().kind === 'word' && peek().text.toLowerCase() === word;
  const isSymbol = (symbol: string) => peek().kind === 'symbol' && peek().text === symbol;
  const unexpected = (wanted: string) =>
    new Error(`Expected ${wanted} but found ${peek().kind === 'end' ? 'the end' : `'${peek().text}'`}.`);
  const takeSymbol = (symbol: string) => isSymbol(symbol) && next() !== undefined;
  const takeWord = (word: string) => isWord(word) && next() !== undefined;
  const expectSymbol = (symbol: string) => {
    if (!takeSymbol(symbol)) throw unexpected(`'${symbol}'`);
  };

  const or = (): Expression => {
    let left = and();
    while (takeWord('or')) left = { kind: 'binary', operator: 'or', left, right: and() };
    return left;
  };
  const and = (): Expression => {
    let left = not();
    while (takeWord('and')) left = { kind: 'binary', operator: 'and', left, right: not() };
    return left;
  };
  const not = (): Expression => (takeWord('not') ? { kind: 'not', of: not() } : comparison());
  const comparison = (): Expression => {
    const left = sum();
    if (peek().kind !== 'symbol' || !COMPARISONS.includes(peek().text)) return left;
    const symbol = next().text;
    return { kind: 'binary', operator: (symbol === '!=' ? '<>' : symbol) as Operator, left, right: sum() };
  };
  const sum = (): Expression => {
    let left = product();
    while (isSymbol('+') || isSymbol('-')) {
      left = { kind: 'binary', operator: next().text as Operator, left, right: product() };
    }
    return left;
  };
  const product = (): Expression => {
    let left = unary();
    while (isSymbol('*') || isSymbol('/') || isSymbol('%')) {
      left = { kind: 'binary', operator: next().text as Operator, left, right: unary() };
    }
    return left;
  };
  const unary = (): Expression => (takeSymbol('-') ? { kind: 'negate', of: unary() } : primary());

  const primary = (): Expression => {
    if (takeSymbol('(')) {
      const inner = or();
      expectSymbol(')');
      return inner;
    }
    const token = peek();
    if (token.kind === 'string') return { kind: 'literal', value: next().text };
    if (token.kind === 'number') return { kind: 'literal', value: Number(next().text) };
    if (token.kind !== 'word') throw unexpected('a value');
    const word = token.text.toLowerCase();
    if (word === 'true' || word === 'false') return next() && { kind: 'literal', value: word === 'true' };
    if (word === 'null') return next() && { kind: 'literal', value: null };
    if (RESERVED.includes(word)) throw unexpected('a value');
    next();
    return isSymbol('(') ? call(token.text) : path(token.text);
  };
  const call = (text: string): Expression => {
    const name = text.toLowerCase();
    if (!isFunction(name)) throw new Error(`Unknown function '${text}'.`);
    expectSymbol('(');
    const given: Expression[] = [];
    while (!isSymbol(')')) {
      given.push(or());
      if (!takeSymbol(',')) break;
    }
    expectSymbol(')');
    const [least, most] = FUNCTIONS[name];
    if (given.length < least || given.length > most) throw new Error(`Wrong number of arguments for '${text}'.`);
    return { kind: 'call', name, arguments: given };
  };
  const path = (first: string): Expression => {
    const keys: (string | number)[] = [first];
    while (isSymbol('.') || isSymbol('[')) {
      if (takeSymbol('.')) {
        if (peek().kind !== 'word') throw unexpected('a key');
        keys.push(next().text);
      } else {
        next();
        if (peek().kind !== 'number') throw unexpected('an index');
        keys.push(Number(next().text));
        expectSymbol(']');
      }
    }
    return { kind: 'path', keys };
  };

  const selection = (): Rule['select'][number] => {
    const expression: Expression = takeSymbol('*') ? { kind: 'all' } : or();
    if (takeWord('as')) {
      if (peek().kind !== 'word') throw unexpected('a name');
      return { expression, as: next().text };
    }
    if (expression.kind === 'all') return { expression };
    const last = expression.kind === 'path' ? expression.keys.at(-1) : undefined;
    if (typeof last !== 'string') throw new Error('Only * and the attributes of a message can be selected without AS.');
    return { expression, as: last };
  };

  if (!takeWord('select')) throw unexpected('SELECT');
  const rule: Rule = { select: [selection()] };
  while (takeSymbol(',')) rule.select.push(selection());
  if (takeWord('from')) {
    // Either quotes; elsewhere a string has single ones (IoT guide, "Literals").
    if (peek().kind !== 'string' && peek().kind !== 'quoted') throw unexpected('a topic filter in quotes');
    rule.from = next().text;
  }
  if (takeWord('where')) rule.where = or();
  if (peek().kind !== 'end') throw unexpected('the end');
  return rule;
}

const isFunction = (name: string): name is FunctionName => Object.hasOwn(FUNCTIONS, name);

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /\s+|(?<string>'(?:[^']|'')*')|(?<quoted>"[^"]*")|(?<number>\d+(?:\.\d+)?)|(?<word>[A-Za-z_$][\w$]*)|(?<symbol><>|!=|<=|>=|[=<>(),.*+\-/%[\]])/y;
  while (pattern.lastIndex < text.length) {
    const start = pattern.lastIndex;
    const found = pattern.exec(text);
    if (!found) throw new Error(`Unexpected '${text[start]}' at ${start}.`);
    const { string, quoted, number, word, symbol } = found.groups ?? {};
    if (string !== undefined) tokens.push({ kind: 'string', text: string.slice(1, -1).replaceAll("''", "'") });
    if (quoted !== undefined) tokens.push({ kind: 'quoted', text: quoted.slice(1, -1) });
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol });
  }
  return [...tokens, { kind: 'end', text: '' }];
}
