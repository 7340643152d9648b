/** Vite with its default settings, but for the proxy to the server. */

import { hosted, look } from "../browse.mjs";

export const vite = ["5.4.21", "6.4.6", "7.3.8", "8.4.0"].map((version) => ({
  name: `Vite ${version.split(".")[0]}`,
  tested: version,
  packages: { vite: version },
  async run(project) {
    await project.app("app");
    const target = { target: project.world, ws: true };
    const config = `export default { server: { host: "127.0.0.1", proxy: { "/bowline": ${JSON.stringify(target)} } } };\n`;
    await project.write({ "app/vite.config.mjs": config });
    const program = project.path("node_modules/vite/bin/vite.js");
    const { match, end } = await project.serve(
      [program, "app", "--force"],
      /http:\/\/127\.0\.0\.1:\d+\//,
    );
    try {
      await look(project, match[0], { worker: true, what: "developing" });
    } finally {
      end();
    }
    await project.bin("vite/bin/vite.js", ["build", "app"]);
    await hosted(project, project.path("app/dist"), (url) =>
      look(project, `${url}index.html`, { worker: true, what: "built" }),
    );
  },
}));
