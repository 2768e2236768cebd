import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'cloud',
          include: ['test/{integration,e2e,conformance}/**/*.test.ts'],
          globalSetup: 'test/global-setup.ts',
          // These run processes against bounds in real time (the hook has five seconds), and a CI machine may stall.
          retry: process.env.CI ? 1 : 0,
        },
      },
    ],
  },
});
