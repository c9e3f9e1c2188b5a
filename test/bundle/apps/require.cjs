const layertap = require('layertap');
const { golden } = require('./golden.mjs');
const { probe } = require('./probe.mjs');

console.log(JSON.stringify(probe(layertap, golden)));
