// By require, which Node 20.19 and newer answer with the ES module.
import layertap = require('layertap');

export const getter: layertap.IntermediateLayerGetter = new layertap.IntermediateLayerGetter(layertap.resnet18(), {
  layer4: 'out',
});
