/** The stories as tests: each over each transport, in a world of its own. */

import { stories } from "../stories/index.js";
import { Broken } from "../expect.js";
import { World } from "../world.js";

/** `play` runs a task where the client is, and resolves with what broke or `null`. */
export function storyTests(control, transports, play) {
  return stories.flatMap(({ name, settings }) =>
    transports.map((transport) => ({
      name: `${name}, over ${transport}`,
      async run() {
        const world = await World.create(control, settings);
        try {
          const broken = await play({ seed: world.seed, story: name, transport });
          if (broken !== null) throw new Broken(broken);
        } finally {
          await world.end();
        }
      },
    })),
  );
}
