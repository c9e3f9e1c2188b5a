/** Every builder of the family gives torchvision's stages and outputs. */

import { describeFamily } from '../../support/zoo.ts';

describeFamily('convnext');
