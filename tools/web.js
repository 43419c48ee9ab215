// npm run web: builds the page for browsers and serves it to this machine.
import { buildIfStale, SetupError, WEB_FOLDER } from './build.js';

try {
  await buildIfStale();
  const { context } = await import('esbuild');
  const { port } = await (await context({})).serve({ servedir: WEB_FOLDER, host: 'localhost' });
  console.log(`page      http://localhost:${port}/ until Ctrl-C. dist/web is the same page for any web server.`);
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  process.exitCode = 1;
}
