import { Broken } from "./expect.js";
import { Scene } from "./scene.js";
import { stories } from "./stories/index.js";
import { World } from "./world.js";

/** Runs a story with the module under test. Resolves with what broke, or `null`. */
export async function play({ seed, story, transport }, module) {
  const scene = new Scene(World.revive(seed), transport, module);
  try {
    await stories.find(({ name }) => name === story).run(scene);
    return null;
  } catch (error) {
    return error instanceof Broken ? error.message : `${error?.stack ?? error}`;
  } finally {
    scene.leave();
  }
}
