import { clockContract } from '../testing/clock-contract.ts';
import { webClock } from './clock.ts';

clockContract('the clock of browsers', webClock);
