// Runs every *.test.mjs of this folder in one process with one browser: node all.mjs URL PICTURES
import fs from 'node:fs'
import { after } from 'node:test'
import { close } from './page.mjs'

const files = fs.readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.test.mjs'))
for (const name of files.sort()) await import(`./${name}`)
after(close)
