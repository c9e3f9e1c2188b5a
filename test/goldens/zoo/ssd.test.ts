/** Every case of the family gives torchvision's maps. */

import { describeFamily } from '../../support/zoo.ts';

describeFamily('ssd');
