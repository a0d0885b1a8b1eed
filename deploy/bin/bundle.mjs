// Bundles styles and islands with esbuild and draws the icon sprite; called by deploy/bin/build-assets.
// Every output has its content's hash in its name, so it may be cached for ever; manifest.json maps names to files.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const web = "src/quarterdeck/web";
const out = process.argv[2] ?? `${web}/static/dist`;

async function bundle() {
  const result = await build({
    entryPoints: { app: `${web}/islands/app.ts`, theme: `${web}/styles/app.css` },
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["es2022", "chrome111", "firefox113", "safari16.4"],
    minify: true,
    metafile: true,
    entryNames: "[name]-[hash]",
    chunkNames: "chunk-[hash]",
    assetNames: "[name]-[hash]",
    loader: { ".woff2": "file" },
    legalComments: "linked",
    logLevel: "warning",
  });
  const manifest = {};
  for (const [file, output] of Object.entries(result.metafile.outputs)) {
    if (output.entryPoint?.endsWith("app.ts")) manifest["app.js"] = basename(file);
    if (output.entryPoint?.endsWith("app.css")) manifest["app.css"] = basename(file);
  }
  return manifest;
}

function symbol(name) {
  const svg = readFileSync(`node_modules/@tabler/icons/icons/outline/${name}.svg`, "utf8");
  const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>")).trim();
  return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${inner}</symbol>`;
}

function sprite() {
  const names = Object.values(JSON.parse(readFileSync(`${web}/icons.json`, "utf8"))).flat();
  const body = [...new Set(names)].sort().map(symbol).join("\n");
  const text = `<svg xmlns="http://www.w3.org/2000/svg">\n${body}\n</svg>\n`;
  const file = `icons-${createHash("sha256").update(text).digest("hex").slice(0, 8).toUpperCase()}.svg`;
  writeFileSync(join(out, file), text);
  return file;
}

function compress() {
  for (const file of readdirSync(out)) {
    if (![".js", ".css", ".svg"].includes(extname(file))) continue;
    const content = readFileSync(join(out, file));
    if (content.length > 1024) writeFileSync(join(out, `${file}.gz`), gzipSync(content, { level: 9 }));
  }
}

rmSync(out, { recursive: true, force: true });
const manifest = await bundle();
manifest["icons.svg"] = sprite();
compress();
writeFileSync(join(out, "manifest.json"), JSON.stringify(manifest, null, 1));
