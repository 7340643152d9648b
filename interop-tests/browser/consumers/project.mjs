/**
 * A project of a user's: a folder with pinned packages from npm, and the package under test as npm
 * would install it.
 */

import { spawn } from "node:child_process";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

export class Project {
  constructor(folder, { tarball, world, browser, runtimes }) {
    this.folder = folder;
    /** The address of the server's mount point. */
    this.bowline = `${world}bowline`;
    this.world = world;
    this.browser = browser;
    this.runtimes = runtimes;
    this.tarball = tarball;
  }

  /** Installs what the row names, unless that is there, and the package under test anew. */
  async install(packages) {
    const manifest = JSON.stringify(
      { name: "consumer", private: true, dependencies: packages },
      null,
      2,
    );
    await mkdir(this.folder, { recursive: true });
    if ((await readFile(this.path(".installed"), "utf8").catch(() => "")) !== manifest) {
      await rm(this.folder, { recursive: true });
      await mkdir(this.folder);
      await this.write({ "package.json": manifest });
      const flags = [
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
      ];
      await this.run("npm", ["install", ...flags], { deadline: INSTALLING });
      await this.write({ ".installed": manifest });
    }
    // What an earlier run has built is not to help this one, or to be in its way.
    const stays = ["node_modules", "package.json", ".installed"];
    const left = (await readdir(this.folder)).filter((name) => !stays.includes(name));
    for (const name of left) await rm(this.path(name), { recursive: true });
    const place = this.path("node_modules/bowline-client");
    await rm(place, { recursive: true, force: true });
    await mkdir(place, { recursive: true });
    await this.run("tar", ["-xzf", this.tarball, "-C", place, "--strip-components=1"]);
  }

  path(...names) {
    return join(this.folder, ...names);
  }

  /** Files by name. */
  async write(files) {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(this.path(name)), { recursive: true });
      await writeFile(this.path(name), text);
    }
  }

  /** Copies the application into a folder of the project. */
  async app(folder) {
    await cp(join(here, "app"), this.path(folder), { recursive: true });
  }

  /** A module of the project. */
  import(name) {
    return import(this.resolve(name));
  }

  resolve(name) {
    return createRequire(this.path("package.json")).resolve(name);
  }

  /** Runs a program of a package with Node of this major version, or with the present one. */
  bin(name, words, { node, ...options } = {}) {
    return this.run(
      node ? this.runtimes.node(node) : process.execPath,
      [this.path("node_modules", name), ...words],
      options,
    );
  }

  /**
   * Runs a program to its end and resolves with what it printed; fails when the program does, or
   * takes too long.
   */
  run(program, words, { env = {}, deadline = RUNNING } = {}) {
    const child = this.spawn(program, words, env);
    const timer = setTimeout(() => end(child), deadline);
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        clearTimeout(timer);
        const output = child.said.join("");
        if (code === 0) resolve(output);
        else
          reject(
            new Error(`${program} ${words.join(" ")} ended with ${code}:\n${output.slice(-3000)}`),
          );
      });
    });
  }

  /**
   * Starts a program that serves, and resolves once it has printed what matches: with that, and a
   * way to end it.
   */
  async serve(words, pattern, { node, env = {} } = {}) {
    const child = this.spawn(node ? this.runtimes.node(node) : process.execPath, words, env);
    const matched = new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${words[0]} says nothing of serving:\n${child.said.join("")}`)),
        RUNNING,
      );
      const look = () => {
        const match = pattern.exec(child.said.join(""));
        if (!match) return;
        clearTimeout(timer);
        resolve(match);
      };
      child.stdout.on("data", look);
      child.on("close", () => reject(new Error(`${words[0]} ended:\n${child.said.join("")}`)));
    });
    try {
      return { match: await matched, end: () => end(child) };
    } catch (error) {
      end(child);
      throw error;
    }
  }

  spawn(program, words, env) {
    const child = spawn(program, words, {
      cwd: this.folder,
      env: { ...process.env, NODE_ENV: undefined, CI: "1", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // The leader of a group, which is ended as a whole.
      detached: true,
    });
    child.said = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => child.said.push(String(bytes)));
    return child;
  }
}

function end(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

const INSTALLING = 300_000;
const RUNNING = 60_000;
