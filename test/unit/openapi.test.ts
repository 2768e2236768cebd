import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { Failure, type FailureCode } from '../../shared/domain/failure.ts';
import { announcement } from '../../shared/domain/manifest.ts';
import { rowProblemCodes } from '../../shared/edge/contract/device.ts';
import { routes } from '../../shared/edge/contract/routes.ts';
import { describeApi } from '../../shared/edge/openapi/document.ts';
import { failures } from '../../shared/edge/openapi/failures.ts';
import { operations } from '../../shared/edge/openapi/operations.ts';
import { reasons, rowProblems } from '../../shared/edge/openapi/reasons.ts';
import { problemOf, statusOf } from '../../shared/edge/problem.ts';
import { type Operation, readDescription } from '../openapi.ts';

// As it is sent: what JSON drops is not part of it.
const document = JSON.parse(JSON.stringify(describeApi()));
const description = readDescription(document);
const each = description.operations.map((operation) => [operation.operationId, operation] as [string, Operation]);

describe('the description', () => {
  it('is OpenAPI 3.1, says a public validator', async () => {
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true });
    expect(document.openapi).toBe('3.1.0');
  });

  it('tells of each route once, and of nothing else', () => {
    const told = description.operations.map(({ method, path }) => `${method} ${path}`);
    const known = routes.map(({ method, path }) => `${method} ${path}`);
    expect(told.sort()).toEqual(known.sort());
    expect(Object.keys(operations).sort()).toEqual(known.sort());
    const ids = description.operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('defines no schema that nothing refers to, and refers to none that is not defined', () => {
    const text = JSON.stringify(document);
    const named = new Set([...text.matchAll(/"#\/components\/(schemas|responses)\/(\w+)"/g)].map(([, , name]) => name));
    const { schemas, responses } = document.components;
    expect([...named].sort()).toEqual([...Object.keys(schemas), ...Object.keys(responses)].sort());
  });

  it.each(each)('%s: its examples are what its schemas say', (_, { requests, answers, parameters, check }) => {
    for (const { name, example, schema } of parameters) {
      if (example !== undefined) expect(check(schema, example), name).toEqual([]);
    }
    for (const { name, value, schema } of [...requests, ...answers]) expect(check(schema, value), name).toEqual([]);
  });

  it.each(each)('%s: each request has an answer of the same name', (_, { requests, answers, status }) => {
    if (status === '204' || answers.length === 0) return;
    const names = requests.length > 0 ? requests.map(({ name }) => name) : ['answer'];
    expect(answers.map(({ name }) => name)).toEqual(names);
  });

  it.each(each)('%s: each of its refusals has the status and the words of the table', (_, { refusals, check }) => {
    for (const { status, code, value, schema } of refusals) {
      expect(value).toMatchObject({ code, status: Number(status), type: `urn:firstlight:problem:${code}` });
      expect(check(schema, value)).toEqual([]);
    }
  });
});

describe('what JSON Schema is told of a row is what the edge does', () => {
  const { check } = description;
  const rows = { $ref: '#/components/schemas/Announcement' };
  it.each([
    [{ serialNumber: 'CAM_1-a' }],
    [{ serialNumber: 'a'.repeat(128) }],
    [{ serialNumber: 'a'.repeat(129) }],
    [{ serialNumber: '' }],
    [{ serialNumber: 'CAM.1' }],
    [{ serialNumber: 'CAM/1' }],
    [{ serialNumber: 'aF'.repeat(32) }],
    [{ serialNumber: 'aF'.repeat(31) }],
    [{ serialNumber: 'CAM-r2' }],
    [{ serialNumber: 'CAM-r' }],
    [{ serialNumber: 'claim-1' }],
    [{ serialNumber: 'fleet-provisioning-1' }],
    [{ serialNumber: 'CAM', claimToken: '0'.repeat(31) }],
    [{ serialNumber: 'CAM', claimToken: '0'.repeat(32) }],
    [{ serialNumber: 'CAM', claimToken: 'Zz'.repeat(10) }],
    [{ serialNumber: 'CAM', claimToken: 'Zz'.repeat(11) }],
    [{ serialNumber: 'CAM', claimToken: 'aF'.repeat(11) }],
    [{ serialNumber: 'CAM', claimToken: 'Z'.repeat(257) }],
    [{ serialNumber: 'CAM', publicKeySha256: 'A'.repeat(64) }],
    [{ serialNumber: 'CAM', publicKeySha256: 'a'.repeat(64) }],
    [{ serialNumber: 'CAM', channels: ['main', 'main'] }],
    [{ serialNumber: 'CAM', channels: ['main.1'] }],
    [{ serialNumber: 'CAM', channels: ['main'], streamMode: 'fixed' }],
    [{ serialNumber: 'CAM', channels: [], streamMode: 'fixed' }],
    [{ serialNumber: 'CAM', streamMode: 'other' }],
    [{ serialNumber: 'CAM', attributes: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, ''])) }],
    [{ serialNumber: 'CAM', attributes: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`a${i}`, ''])) }],
    [{ serialNumber: 'CAM', colour: 'red' }],
    [{ model: 'A1' }],
  ])('%j', (row) => {
    expect(check(rows, { devices: [row] }).length === 0).toBe(announcement.safeParse(row).success);
  });
});

describe('docs/errors.md and the code list the same', () => {
  const [, problems = '', ofGateway = '', ofRows = '', ofClaims = ''] = readFileSync('docs/errors.md', 'utf8').split(
    /^\|[- |]+\|$/m,
  );
  const rowsOf = (table: string) =>
    table.split('\n').flatMap((line) => (/^\| `/.test(line) ? [line.slice(2, -2).split(' | ')] : []));
  const inCode = (code: string) => `\`${code}\``;

  it('problem codes, each with status, title, meaning and remedy', () => {
    const listed = Object.entries(failures).map(([code, { means, remedy }]) => {
      const { status, title } = problemOf(code === 'internal' ? undefined : new Failure(code as FailureCode, ''));
      return [inCode(code), String(status), title, means, remedy];
    });
    expect(rowsOf(problems).sort()).toEqual(listed.sort());
    expect(Object.keys(failures).sort()).toEqual([...Object.keys(statusOf), 'internal'].sort());
  });

  it('API Gateway’s own answers', () => {
    expect([...ofGateway.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => status)).toEqual([
      ...['403', '404', '429', '500', '503'],
    ]);
  });

  it('why a row was rejected, and why a claim was granted or refused', () => {
    const listed = (meanings: object) => Object.entries(meanings).map(([code, words]) => [inCode(code), words]);
    expect(rowsOf(ofRows)).toEqual(listed(rowProblems));
    expect(Object.keys(rowProblems)).toEqual([...rowProblemCodes]);
    expect(rowsOf(ofClaims)).toEqual(
      Object.entries(reasons).map(([code, { means, remedy = '–' }]) => [inCode(code), means, remedy]),
    );
  });
});

it('docs/api.md has a section for each route, and for no other', () => {
  const sections = [...readFileSync('docs/api.md', 'utf8').matchAll(/^## `(GET|POST) (\S+)`$/gm)];
  expect(sections.map(([, method, path]) => `${method} ${path}`).sort()).toEqual(
    routes.map(({ method, path }) => `${method} ${path}`).sort(),
  );
});
