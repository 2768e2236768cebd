import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { unzipSync } from 'fflate';
import { AwsError } from '../error.ts';

/** Where the shipped bundles are unpacked to run: one directory per deployment package, gone when the stand-in ends. */
export interface CodeStore {
  unpack(zip: Uint8Array): Promise<{ codeDirectory: string; codeSha256: string; codeSize: number }>;
  clear(): Promise<void>;
}

export function createCodeStore(root = join(tmpdir(), `firstlight-${randomUUID()}`)): CodeStore {
  return {
    async unpack(zip) {
      const codeSha256 = createHash('sha256').update(zip).digest('base64');
      await mkdir(root, { recursive: true });
      const codeDirectory = await mkdtemp(join(root, 'function-'));
      for (const [name, content] of Object.entries(entriesOf(zip))) {
        const file = join(codeDirectory, name);
        if (!file.startsWith(codeDirectory + sep)) throw unreadable();
        if (name.endsWith('/')) continue;
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, content);
      }
      return { codeDirectory, codeSha256, codeSize: zip.length };
    },
    async clear() {
      await rm(root, { recursive: true, force: true });
    },
  };
}

function entriesOf(zip: Uint8Array): Record<string, Uint8Array> {
  try {
    return unzipSync(zip);
  } catch {
    throw unreadable();
  }
}

const unreadable = () =>
  new AwsError(
    'InvalidParameterValueException',
    400,
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
    {
      Type: 'User',
    },
  );
